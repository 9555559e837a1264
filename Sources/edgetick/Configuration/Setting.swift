/// A key that configures EdgeTick: its name, where its value goes, what it may be, its default and its meaning.
///
/// The one place of all five: reading, `edgetick config`, masking, the search for mistyped keys and docs/settings.md are
/// loops over the lists of these.
struct Setting<Root>: Sendable {
    /// The name in the environment and in files.
    let name: String
    /// Where the value goes.
    let path: any PartialKeyPath<Root> & Sendable
    /// How the value is shown.
    let display: SettingDisplay
    let allowed: String
    /// What the key means, in a few words.
    let meaning: String
    private let standard: Default
    private let write: @Sendable (String, HostFacts, inout Root) throws(SettingRefusal) -> Void

    /// What holds where nothing is set.
    enum Default: Sendable, ExpressibleByStringLiteral {
        /// This, as it would be written.
        case text(String)
        /// What the machine makes of it; the words say what that is.
        case host(@Sendable (HostFacts) -> String?, String)
        /// Nothing.
        case none

        init(stringLiteral text: String) { self = .text(text) }
    }

    /// A key that always has a value.
    init<Value>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ kind: SettingKind<Value>,
        _ standard: Default, _ meaning: String
    ) {
        self.init(name, path, kind, standard, meaning) { $0 }
    }

    /// A key that may have none.
    init<Value>(
        _ name: String, _ path: any WritableKeyPath<Root, Value?> & Sendable, _ kind: SettingKind<Value>,
        _ meaning: String
    ) {
        self.init(name, path, kind, .none, meaning) { $0 }
    }

    private init<Value, Stored>(
        _ name: String, _ path: any WritableKeyPath<Root, Stored> & Sendable, _ kind: SettingKind<Value>,
        _ standard: Default, _ meaning: String, _ wrap: @escaping @Sendable (Value) -> Stored
    ) {
        self.name = name
        self.path = path
        self.standard = standard
        self.meaning = meaning
        display = kind.display
        allowed = kind.allowed
        write = { text, host, root throws(SettingRefusal) in
            root[keyPath: path] = wrap(try kind.read(text, host))
        }
    }

    /// The text that holds where nothing is set; `nil` when there is none.
    func defaultText(on host: HostFacts) -> String? {
        switch standard {
        case .text(let text): text
        case .host(let text, _): text(host)
        case .none: nil
        }
    }

    /// The default where it is the same on every machine, as it would be written; empty where it isn't or there is none.
    var defaultValue: String {
        switch standard {
        case .text(let text): text
        case .host, .none: ""
        }
    }

    /// The default for documents, which are about no machine in particular.
    var defaultDescription: String? {
        switch standard {
        case .text(let text): text
        case .host(_, let words): words
        case .none: nil
        }
    }

    /// Reads a text and stores its value.
    ///
    /// - Throws: ``SettingRefusal``, with `root` as it was.
    func store(_ text: String, _ host: HostFacts, in root: inout Root) throws(SettingRefusal) {
        try write(text, host, &root)
    }
}

/// How a setting's value is shown.
enum SettingDisplay: Sendable, Equatable {
    /// As it is.
    case plain
    /// As it is used, absolute.
    case path
    /// Not at all.
    case secret
    /// Without its password.
    case databaseURI
    /// Without the user's name and password.
    case proxy

    /// Whether the value holds a secret.
    var isSecret: Bool { self == .secret || self == .databaseURI }
}

/// Why a text is no value of a setting: what is allowed, never the text itself.
struct SettingRefusal: Error, Equatable {
    var text: String

    init(_ text: String) { self.text = text }
}
