import SystemPackage

extension EnvironmentFile {
    /// The largest file that is read, far more than any settings need.
    static let maximumBytes = 1 << 20
    /// How long a pipe may be silent: some programs ask a person before they write a secret into one.
    static let patience = Duration.seconds(10)

    /// Reads the file named by `--env-file`, or else `.env` in the working directory. Blocks.
    ///
    /// - Parameter environment: Variables that the file's values may name.
    /// - Returns: `nil` if no file was named and there is no `.env`.
    /// - Throws: ``ConfigurationError`` if the named file is missing, or if a file can't be read.
    static func read(
        named name: String?, environment: [String: String] = [:]
    ) throws(ConfigurationError) -> EnvironmentFile? {
        let path = name ?? ".env"
        let bytes: [UInt8]
        do {
            bytes = try FileContents.bytes(of: path, atMost: maximumBytes, patience: patience)
        } catch is FileContents.TooLarge {
            throw ConfigurationError(
                path: path, text: "larger than 1 MiB, so it can't be a settings file: name another file with --env-file"
            )
        } catch {
            let code = error as? Errno
            if code == .noSuchFileOrDirectory || code == .notDirectory {
                guard name != nil else { return nil }
                throw ConfigurationError(path: path, text: "no such file: correct --env-file or leave it out")
            }
            throw ConfigurationError(
                path: path,
                text: "cannot be read (\(why(error))): make it a file this user may read, or name another with "
                    + "--env-file")
        }
        return EnvironmentFile(path: path, bytes: bytes, environment: environment)
    }

    /// Reads a file that holds one secret. Blocks.
    static func secret(in path: String) -> SettingsSnapshot.SecretFile {
        do {
            let bytes = try FileContents.bytes(of: path, atMost: maximumBytes, patience: patience)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return .fault("\(path) is not UTF-8 text: save it as UTF-8")
            }
            return .text(text)
        } catch is FileContents.TooLarge {
            return .fault("\(path) is larger than 1 MiB, so it can't be a file with one secret: name another file")
        } catch {
            return .fault("\(path) can't be read (\(why(error))): correct the path, or the file's owner and mode")
        }
    }

    /// Why a file can't be read, in words.
    private static func why(_ error: any Error) -> String {
        guard error is FileContents.Silent else { return "\(error)" }
        return "it is a pipe, and nobody wrote into it for \(Int(patience / .seconds(1))) s"
    }
}
