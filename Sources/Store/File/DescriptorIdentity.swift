import Glibc

/// Which file a descriptor leads to.
public enum DescriptorIdentity {
    /// Returns the device's and the inode's number, separated by a colon; `nil` if the descriptor isn't open.
    public static func text(of descriptor: Int32) -> String? {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { return nil }
        return "\(information.st_dev):\(information.st_ino)"
    }
}
