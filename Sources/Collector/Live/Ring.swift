/// The newest elements, numbered consecutively; a new one replaces the oldest when the ring is full.
struct Ring<Element: Sendable>: Sendable {
    private var held: [Element] = []
    private let capacity: Int
    /// The number of the next element, which is the number of elements added so far.
    private(set) var end: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// The number of the oldest element held.
    var start: UInt64 { end - UInt64(held.count) }

    mutating func append(_ element: Element) {
        if held.count < capacity {
            held.append(element)
        } else {
            held[Int(end % UInt64(capacity))] = element
        }
        end += 1
    }

    /// Returns the elements with numbers from `first` on, oldest first, as far as they are held.
    func elements(from first: UInt64 = 0) -> [Element] {
        (min(max(first, start), end)..<end).map { held[Int($0 % UInt64(capacity))] }
    }

    func newest(_ limit: Int, where matches: (Element) -> Bool) -> [Element] {
        var found: [Element] = []
        var number = end
        while number > start, found.count < limit {
            number -= 1
            let element = held[Int(number % UInt64(capacity))]
            if matches(element) { found.append(element) }
        }
        return found
    }
}
