import Glibc

/// Who may do what with a file or directory.
struct FileAccess {
    private let path: String
    private let mode: mode_t
    private let owner: uid_t

    init(path: String, mode: mode_t, owner: uid_t) {
        self.path = path
        self.mode = mode
        self.owner = owner
    }

    /// What is at `path`; `nil` where nothing is.
    init?(of path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        self.init(path: path, mode: facts.st_mode, owner: facts.st_uid)
    }

    /// What is wrong with it, and what to do; `nil` when nothing is. A group's rights are left to whoever gave them.
    ///
    /// - Parameters:
    ///   - user: Whose it must be, unless it is root's; `nil` where that doesn't matter.
    ///   - isSecret: Whether nobody else may read it.
    func fault(of user: uid_t?, isSecret: Bool) -> String? {
        if let user, owner != user, owner != 0 {
            return "\(path) belongs to another user (\(owner)), who can change it: give it to this one with chown"
        }
        if mode & S_IWOTH != 0 { return "\(path) can be changed by every user of this machine: chmod o-rwx \(path)" }
        guard isSecret, mode & S_IROTH != 0 else { return nil }
        return "\(path) can be read by every user of this machine: chmod o-rwx \(path)"
    }
}
