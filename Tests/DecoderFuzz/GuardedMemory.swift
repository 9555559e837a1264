import Glibc

/// Memory behind which a page lies that can't be touched: a read past a frame's end ends the process.
public final class GuardedMemory {
    private let start: UnsafeMutableRawPointer
    private let capacity: Int
    private let page: Int

    /// Room for frames of so many bytes; `nil` when the system gives none.
    public init?(capacity wanted: Int) {
        page = Int(sysconf(Int32(_SC_PAGESIZE)))
        capacity = (wanted + page - 1) / page * page
        guard let map = mmap(nil, capacity + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            map != MAP_FAILED, mprotect(map + capacity, page, PROT_NONE) == 0
        else { return nil }
        start = map
    }

    deinit { munmap(start, capacity + page) }

    /// Lends a copy of the bytes that ends where the forbidden page begins; `nil` when they are too many.
    public func with<Value>(_ bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Value) -> Value? {
        guard bytes.count <= capacity else { return nil }
        let place = UnsafeMutableRawBufferPointer(start: start + capacity - bytes.count, count: bytes.count)
        place.copyBytes(from: bytes)
        return body(UnsafeRawBufferPointer(place))
    }
}
