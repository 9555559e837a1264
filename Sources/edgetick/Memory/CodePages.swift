import Glibc
import ServiceLifecycle

/// Releases pages of program code that only the start needed.
///
/// Reading settings, opening files and building the routes touch far more code than collecting does: of 48 MiB resident
/// after the start, 20 were not touched again in the following minute. The kernel keeps such pages mapped until memory
/// is short, which is late on a small box. A page that is needed again comes back from the page cache within a fraction
/// of a microsecond.
enum CodePages {
    /// Unmaps the pages of executable mappings. They are backed by files and hold no data of this process, so nothing
    /// is lost.
    ///
    /// - Returns: The bytes of address space whose pages were released; 0 if the mappings can't be read.
    @discardableResult
    static func release() -> Int {
        guard let file = fopen("/proc/self/maps", "re") else { return 0 }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var total = 0
        while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
            guard let mapping = executable(text) else { continue }
            if madvise(UnsafeMutableRawPointer(bitPattern: mapping.start), mapping.count, MADV_DONTNEED) == 0 {
                total += mapping.count
            }
        }
        return total
    }

    /// The address range of a file's read-and-execute mapping, from a line of /proc/self/maps (see proc(5)).
    static func executable(_ line: String) -> (start: UInt, count: Int)? {
        let fields = line.split(whereSeparator: \.isWhitespace)
        guard fields.count >= 6, fields[1] == "r-xp", fields[5].first == "/" else { return nil }
        let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard ends.count == 2, ends[0] < ends[1] else { return nil }
        return (ends[0], Int(ends[1] - ends[0]))
    }

    /// Calls ``release()`` ten seconds after the start, when collecting is under way, and every 15 minutes after that.
    struct ReleaseService: Service {
        func run() async throws {
            await cancelWhenGracefulShutdown {
                var pause = Duration.seconds(10)
                while (try? await Task.sleep(for: pause)) != nil {
                    CodePages.release()
                    pause = .seconds(900)
                }
            }
        }
    }
}
