import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct FileAccessTests {
    private func fault(_ mode: UInt32, owner: UInt32 = 1000, isSecret: Bool = true) -> String? {
        FileAccess(path: "/etc/edgetick/.env", mode: mode, owner: owner).fault(of: 1000, isSecret: isSecret)
    }

    @Test(arguments: [0o600, 0o640, 0o660, 0o400] as [UInt32])
    func `what its user, root and a group may use is well`(mode: UInt32) {
        #expect(fault(mode) == nil && fault(mode, owner: 0) == nil)
    }

    @Test func `every user may read what is no secret, and change nothing`() {
        #expect(fault(0o644)?.contains("can be read by every user") == true)
        #expect(fault(0o755, isSecret: false) == nil)
        #expect(fault(0o777, isSecret: false)?.contains("can be changed by every user") == true)
        #expect(fault(0o646)?.contains("chmod o-rwx /etc/edgetick/.env") == true)
    }

    @Test func `what belongs to another user is that one's to change`() {
        let other = FileAccess(path: "/var/lib/edgetick", mode: 0o700, owner: 1001)
        #expect(other.fault(of: nil, isSecret: false) == nil)
        #expect(fault(0o600, owner: 1001)?.contains("belongs to another user (1001)") == true)
    }
}
