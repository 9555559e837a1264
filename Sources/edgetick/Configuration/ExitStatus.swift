/// The exit codes of commands that fail, as sysexits.h names them.
enum ExitStatus: Int32, Sendable {
    /// The command line is wrong (EX_USAGE).
    case usage = 64
    /// The user's data is wrong (EX_DATAERR).
    case badData = 65
    /// A service that is needed cannot be reached (EX_UNAVAILABLE).
    case unavailable = 69
    /// Reading or writing a file failed (EX_IOERR).
    case ioError = 74
    /// The same command may succeed later (EX_TEMPFAIL).
    case tryAgain = 75
    /// The configuration is wrong (EX_CONFIG).
    case configuration = 78
}
