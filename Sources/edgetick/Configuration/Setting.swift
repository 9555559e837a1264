/// A key that configures EdgeTick: its name, where its value goes, what it may be, its default and its meaning.
///
/// All five are stated only here: reading, `edgetick config`, masking, the search for mistyped keys and
/// docs/settings.md are loops over lists of settings.
struct Setting<Root>: Sendable {
    let name: String
    let path: any PartialKeyPath<Root> & Sendable
    let display: SettingDisplay
    let allowed: String
    let meaning: String
    private let standard: Default
    /// Reads a text and stores its value; if it refuses the text, the root is unchanged.
    let store: @Sendable (String, HostFacts, inout Root) throws(SettingRefusal) -> Void

    /// The value that holds if nothing is set.
    enum Default: Sendable, ExpressibleByStringLiteral {
        /// A fixed text, as it would be written.
        case text(String)
        /// A text that depends on the machine, and a description of it for documents.
        case host(@Sendable (HostFacts) -> String?, String)
        /// No value.
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

    /// A key that may have no value.
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
        store = { text, host, root throws(SettingRefusal) in
            root[keyPath: path] = wrap(try kind.read(text, host))
        }
    }

    /// Returns the text that holds if nothing is set; `nil` if there is none.
    func defaultText(on host: HostFacts) -> String? {
        switch standard {
        case .text(let text): text
        case .host(let text, _): text(host)
        case .none: nil
        }
    }

    /// The default as it would be written, if it is the same on every machine; otherwise empty.
    var defaultValue: String {
        if case .text(let text) = standard { text } else { "" }
    }

    /// The default as documents describe it, for no machine in particular; `nil` if there is none.
    var defaultDescription: String? {
        switch standard {
        case .text(let text): text
        case .host(_, let words): words
        case .none: nil
        }
    }
}

/// How a setting's value is shown.
enum SettingDisplay: Sendable, Equatable {
    /// Unchanged.
    case plain
    /// Absolute, as it is used.
    case path
    /// As a mask.
    case secret
    /// As a mask; several, separated by commas.
    case secrets
    /// Without its password.
    case databaseURI
    /// Without the user's name and password.
    case proxy

    /// Whether the value holds a secret.
    var isSecret: Bool { [.secret, .secrets, .databaseURI].contains(self) }
    /// Whether the value may come from a file of its own, because it is or may hold a secret.
    var mayBeInFile: Bool { isSecret || self == .proxy }
}

/// Why a text is not a valid value: says what is allowed, and never repeats the text.
struct SettingRefusal: Error, Equatable {
    var text: String

    init(_ text: String) { self.text = text }
}
