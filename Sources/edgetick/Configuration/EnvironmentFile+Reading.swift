import SystemPackage

extension EnvironmentFile {
    /// More than any list of settings needs.
    static let maximumBytes = 1 << 20

    /// Reads the file that `--env-file` names, else `.env` in the working directory. Blocks.
    ///
    /// - Parameter environment: Variables that the file's values may name.
    /// - Returns: `nil` when no file was named and there is no `.env`.
    /// - Throws: ``ConfigurationError`` when the named file is not there, and when a file cannot be read.
    static func read(
        named name: String?, environment: [String: String] = [:]
    ) throws(ConfigurationError) -> EnvironmentFile? {
        let path = name ?? ".env"
        let bytes: [UInt8]
        do {
            bytes = try FileContents.bytes(of: path, atMost: maximumBytes)
        } catch {
            guard let code = error as? Errno else {
                throw ConfigurationError(
                    reason: .malformed, path: path,
                    text: "larger than 1 MiB, so no list of settings: name another file with --env-file")
            }
            if code == .noSuchFileOrDirectory || code == .notDirectory {
                guard name != nil else { return nil }
                throw ConfigurationError(
                    reason: .missing, path: path, text: "no such file: correct --env-file or leave it out")
            }
            throw ConfigurationError(
                reason: .unreadable, path: path,
                text: "cannot be read (\(code)): make it a file this user may read, or name another with --env-file")
        }
        return EnvironmentFile(path: path, bytes: bytes, environment: environment)
    }

    /// Reads a file that holds one secret. Blocks.
    static func secret(in path: String) -> SettingsSnapshot.SecretFile {
        do {
            guard let text = String(validating: try FileContents.bytes(of: path, atMost: maximumBytes), as: UTF8.self)
            else {
                return .fault("\(path) is no text: save it as UTF-8")
            }
            return .text(text)
        } catch let error as Errno {
            return .fault("\(path) can't be read (\(error)): correct the path, or the file's owner and mode")
        } catch {
            return .fault("\(path) is larger than 1 MiB, so it holds no secret: name another file")
        }
    }
}
