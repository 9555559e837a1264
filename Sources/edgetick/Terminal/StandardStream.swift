import Glibc
import Logging

/// Unbuffered writes to standard output and standard error, which bypass the buffer of `print`.
enum StandardStream {
    /// Writes bytes, all of them unless the system refuses.
    ///
    /// - Returns: The number of bytes written, and 0 or the system's error number.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> (written: Int, code: Int32) {
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                start += count
            } else if errno == EAGAIN {
                // Another process has made the shared terminal or pipe non-blocking.
                var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&event, 1, -1)
            } else if errno != EINTR {
                return (start, errno)
            }
        }
        return (start, 0)
    }

    /// Writes bytes to standard output; if that fails, prints an error and ends the process.
    static func printNow(_ bytes: [UInt8]) {
        let code = write(bytes, to: 1).code
        if code != 0 { endUnwritten(code) }
    }

    /// Flushes what `print` wrote; if that fails, prints an error and ends the process.
    static func finish() {
        if fflush(nil) != 0 { endUnwritten(errno) }
    }

    /// Ends the process. A reader that has seen enough (`| head`) is no error: the process then dies silently of
    /// SIGPIPE, as other programs do.
    private static func endUnwritten(_ code: Int32) {
        if code == EPIPE {
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
        printFailure("standard output can't be written: \(String(cString: strerror(code)))")
        exit(ExitStatus.ioError.rawValue)
    }
}

/// Prints text to standard output at once.
func printNow(_ text: String) { StandardStream.printNow(Array(text.utf8)) }

/// Prints a line to standard error after the log's waiting lines; a line that can't be written is dropped.
func printError(_ line: String) {
    LogWriter.standardError.flush()
    _ = StandardStream.write(Array((line + "\n").utf8), to: 2)
}

/// Prints a message of the program itself to standard error, with control characters escaped.
func printRemark(_ text: String, level: Logger.Level = .notice) {
    printError(Journal.prefix(level) + "edgetick: \(text.escapingControls)")
}

func printWarning(_ text: String) { printRemark("warning: \(text)", level: .warning) }

/// Prints why a command fails.
func printFailure(_ text: String) { printRemark(text, level: .error) }
