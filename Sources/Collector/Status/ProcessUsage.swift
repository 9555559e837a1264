import Glibc

/// The process's use of the machine, as the kernel counts it.
public struct ProcessUsage: Sendable, Equatable {
    /// Resident memory in bytes.
    public var residentBytes: Int64 = 0
    /// Processor time of all threads, in seconds.
    public var cpuSeconds = 0.0
    /// Open file descriptors; `nil` when /proc does not show them.
    public var openFiles: Int?
    /// The number of bytes that the process caused to be written to disks since it started; `nil` when /proc does not
    /// show it.
    public var writtenBytes: Int64?

    /// Asks the kernel; touches no disk.
    public static func now() -> ProcessUsage {
        var result = ProcessUsage()
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            result.cpuSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }
        if let pages = secondWord(of: "/proc/self/statm") {
            result.residentBytes = pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
        }
        result.openFiles = countOpenFiles()
        result.writtenBytes = secondWord(of: "/proc/self/io", after: "write_bytes:")
        return result
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }

    /// Returns the second word, a number, of a file's line that begins with `label`, or of its first line if that is `nil`.
    private static func secondWord(of path: String, after label: String? = nil) -> Int64? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let words = text.split { $0 == " " || $0 == "\n" }
            if words.count > 1, label.map({ words[0] == $0 }) ?? true { return Int64(words[1]) }
        }
        return nil
    }

    private static func countOpenFiles() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without ".", ".." and the directory's own descriptor.
        return max(0, count - 3)
    }
}
