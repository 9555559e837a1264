/// A column of a stream, and where its value is in an event.
public struct EventColumn<Event: Sendable>: Sendable {
    /// Where an event has the value. The case also decides the column's content and whether a row may lack it.
    enum Place: Sendable {
        case symbol(any WritableKeyPath<Event, Symbol> & Sendable)
        case interval(any WritableKeyPath<Event, Bar.Interval> & Sendable)
        case moment(any WritableKeyPath<Event, Int64> & Sendable)
        case optionalMoment(any WritableKeyPath<Event, Int64?> & Sendable)
        case nanoseconds(any WritableKeyPath<Event, Int64?> & Sendable)
        case price(any WritableKeyPath<Event, Double> & Sendable)
        case optionalPrice(any WritableKeyPath<Event, Double?> & Sendable)
        case quantity(any WritableKeyPath<Event, Double> & Sendable)
        case optionalQuantity(any WritableKeyPath<Event, Double?> & Sendable)
        case whole(any WritableKeyPath<Event, Int64?> & Sendable)
        case small(any WritableKeyPath<Event, Int32?> & Sendable)
        case flag(any WritableKeyPath<Event, Bool?> & Sendable)
        case text(any WritableKeyPath<Event, TextRange?> & Sendable)
        case list(any WritableKeyPath<Event, TextRange?> & Sendable)
    }

    /// The column.
    public let column: Column
    private let place: Place

    init(
        _ name: String, _ place: Place, isBrief: Bool = false, since version: Int = 1, feed fields: String...,
        follows: String? = nil, upstream targets: [EventTarget] = [], _ meaning: String
    ) {
        self.place = place
        let (content, isRequired) = place.form
        column = Column(
            name: name, content: content, isRequired: isRequired, isBrief: isBrief, since: version, fields: fields,
            follows: follows,
            targets: targets.map {
                Column.Target(name: $0.name ?? name, content: $0.content ?? content, roles: $0.roles)
            }, meaning: meaning)
    }

    /// Returns an event's value in the column; `nil` for none.
    public func value(of event: Event, in texts: TextArena) -> ColumnValue? {
        switch place {
        case .symbol(let path): .text(event[keyPath: path].description)
        case .interval(let path): .integer(Int64(event[keyPath: path].rawValue))
        case .moment(let path): .integer(event[keyPath: path])
        case .optionalMoment(let path), .nanoseconds(let path), .whole(let path):
            event[keyPath: path].map { .integer($0) }
        case .price(let path), .quantity(let path): .real(event[keyPath: path])
        case .optionalPrice(let path), .optionalQuantity(let path): event[keyPath: path].map { .real($0) }
        case .small(let path): event[keyPath: path].map { .integer(Int64($0)) }
        case .flag(let path): event[keyPath: path].map { .integer($0 ? 1 : 0) }
        case .text(let path), .list(let path): event[keyPath: path].map { .text(texts[$0]) }
        }
    }

    /// Sets the column's value in an event; returns whether the column can hold it.
    func set(_ value: ColumnValue, in event: inout Event, texts: inout TextArena) -> Bool {
        func put<Value>(_ value: Value?, _ path: WritableKeyPath<Event, Value>) -> Bool {
            guard let value else { return false }
            event[keyPath: path] = value
            return true
        }
        func put<Value>(_ value: Value?, _ path: WritableKeyPath<Event, Value?>) -> Bool {
            event[keyPath: path] = value
            return value != nil
        }
        return switch place {
        case .symbol(let path): put(value.text.flatMap { Symbol($0) }, path)
        case .interval(let path):
            put(value.integer.flatMap { Int32(exactly: $0) }.flatMap { Bar.Interval(rawValue: $0) }, path)
        case .moment(let path): put(value.integer, path)
        case .optionalMoment(let path), .nanoseconds(let path), .whole(let path): put(value.integer, path)
        case .price(let path), .quantity(let path): put(value.real, path)
        case .optionalPrice(let path), .optionalQuantity(let path): put(value.real, path)
        case .small(let path): put(value.integer.flatMap { Int32(exactly: $0) }, path)
        case .flag(let path): put(value.integer.map { $0 != 0 }, path)
        case .text(let path), .list(let path): put(value.text.map { texts.append($0) }, path)
        }
    }
}

extension EventColumn.Place {
    fileprivate var form: (content: Column.Content, isRequired: Bool) {
        switch self {
        case .symbol: (.symbol, true)
        case .interval: (.interval, true)
        case .moment: (.milliseconds, true)
        case .optionalMoment: (.milliseconds, false)
        case .nanoseconds: (.nanoseconds, false)
        case .price: (.price, true)
        case .optionalPrice: (.price, false)
        case .quantity: (.quantity, true)
        case .optionalQuantity: (.quantity, false)
        case .whole: (.whole, false)
        case .small: (.small, false)
        case .flag: (.flag, false)
        case .text: (.text, false)
        case .list: (.list, false)
        }
    }
}

/// A column upstream, as a stream's columns name it; by default it has the name and content of the column in the file.
struct EventTarget {
    var name: String?
    var content: Column.Content?
    var roles: Column.Target.Role

    /// A column of the same name and content.
    static func to(_ roles: Column.Target.Role = []) -> EventTarget { EventTarget(roles: roles) }

    /// A column of another content.
    static func to(as content: Column.Content, _ roles: Column.Target.Role = []) -> EventTarget {
        EventTarget(content: content, roles: roles)
    }

    /// A column of another name.
    static func to(_ name: String, _ roles: Column.Target.Role = []) -> EventTarget {
        EventTarget(name: name, roles: roles)
    }
}
