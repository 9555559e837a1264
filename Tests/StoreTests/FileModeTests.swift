import Foundation
import Glibc
import Logging
import MarketData
import Store
import TestSupport
import Testing

/// Nobody but its owner reads what EdgeTick keeps, whatever the umask is.
@Suite(.timeLimit(.minutes(5))) struct FileModeTests {
    @Test(arguments: [0o000, 0o022, 0o077, 0o277, 0o777])
    func `files are 0600 and directories 0700, the repaired and set-aside ones too`(mask: Int) async throws {
        let scratch = try Scratch()
        let path = scratch.path
        await #expect(processExitsWith: .success) { [path = path as String, mask = mask as Int] in
            umask(mode_t(mask))
            let data = path + "/made/data"
            let mirror = try UniverseMirror.open(directory: data, access: .readWrite)
            try mirror.apply([
                GroupChange(definition: .init(name: "dow", type: .universe), members: [.init(symbol: "IBM", weight: 2)])
            ])
            _ = try mirror.replacePulled(with: UniverseRecords(), source: "tests", force: true)
            var buffer = try TickBuffer.open(
                directory: data, options: .init(collector: "child"), logger: Logger(label: "child"))
            _ = buffer.offer(.bars(2000))
            try await buffer.flush()
            FileModeTests.expectPrivate(path + "/made", atLeast: 6)
            await buffer.close()
            var options = FileRepair.Options()
            options.isForced = true
            guard let old = try FileRepair.repair(data + "/ticks.sqlite", as: .ticks, options: options).setAside else {
                exit(3)
            }
            _ = try FileRepair.repair(old, as: .ticks, options: options)
            buffer = try TickBuffer.open(
                directory: data, options: .init(collector: "child"), logger: Logger(label: "child"))
            _ = buffer.offer(.bars(20))
            try await buffer.flush()
            FileModeTests.expectPrivate(path + "/made", atLeast: 9)
            await buffer.close()
            exit(0)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can work in another user's directory"))
    func `what root makes in another user's directory belongs to that user`() async throws {
        let scratch = try Scratch()
        let data = scratch.path + "/data"
        let owner: uid_t = 65534
        #expect(mkdir(data, 0o700) == 0 && chown(data, owner, owner) == 0)

        let mirror = try UniverseMirror.open(directory: data, access: .readWrite)
        try mirror.apply([
            GroupChange(definition: .init(name: "dow", type: .universe), members: [.init(symbol: "IBM", weight: 2)])
        ])
        let buffer = try TickBuffer.open(
            directory: data, options: .init(collector: "root"), logger: Logger(label: "root"))
        _ = buffer.offer(.bars(2000))
        try await buffer.flush()
        expectOwner(owner, of: data, atLeast: 6)
        await buffer.close()

        var options = FileRepair.Options()
        options.isForced = true
        let first = try FileRepair.repair(data + "/ticks.sqlite", as: .ticks, options: options)
        _ = try FileRepair.repair(try #require(first.setAside), as: .ticks, options: options)
        expectOwner(owner, of: data, atLeast: 6)
    }

    @Test func `a link in a file's place is not followed`() throws {
        let scratch = try Scratch()
        let target = scratch.path + "/another"
        #expect(FileManager.default.createFile(atPath: target, contents: Data("kept".utf8)))
        #expect(chmod(target, 0o644) == 0)
        let link = scratch.path + "/ticks.reserve"
        #expect(symlink(target, link) == 0)
        #expect(PrivateFile.open(link, O_RDWR | O_TRUNC) < 0 && errno == ELOOP)
        #expect(FileManager.default.contents(atPath: target) == Data("kept".utf8))
        var information = stat()
        #expect(stat(target, &information) == 0 && information.st_mode & 0o777 == 0o644)
    }

    private func expectOwner(_ owner: uid_t, of directory: String, atLeast count: Int) {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
        #expect(names.count >= count)
        for name in names {
            var information = stat()
            #expect(lstat(directory + "/" + name, &information) == 0)
            #expect(information.st_uid == owner && information.st_gid == owner, "\(name)")
        }
    }

    /// Ends the process if others may use the directory or anything in it.
    private static func expectPrivate(_ directory: String, atLeast count: Int) {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
        guard names.count >= count else {
            print("only \(names)")
            exit(4)
        }
        for path in [directory] + names.map({ directory + "/" + $0 }) {
            var information = stat()
            guard lstat(path, &information) == 0 else { continue }
            let isDirectory = information.st_mode & S_IFMT == S_IFDIR
            guard information.st_mode & 0o777 == (isDirectory ? 0o700 : 0o600) else {
                print("\(path) has mode \(String(information.st_mode & 0o777, radix: 8))")
                exit(5)
            }
        }
    }
}
