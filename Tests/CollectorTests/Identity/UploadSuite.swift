import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// A database with EdgeTick's tables, and a directory for the files that are uploaded to it.
struct UploadPlace {
    let workspace: Workspace
    let cluster: PostgresCluster
    let database: String
    let collector: String

    init(for collector: String = "edge") async throws {
        self.collector = collector
        workspace = try Workspace()
        cluster = try PostgresCluster.shared()
        database = try await cluster.makeMigratedDatabase(for: collector).database
    }
}

/// A suite whose tests upload files of one collector to a place, and look for their rows there.
protocol UploadSuite {
    var place: UploadPlace { get }
}

extension UploadSuite {
    var workspace: Workspace { place.workspace }
    var cluster: PostgresCluster { place.cluster }
    var database: String { place.database }

    func configuration(on database: String? = nil, as user: String? = nil) throws -> UpstreamConfiguration {
        try UpstreamConfiguration(
            uri: cluster.uri(database ?? self.database, user: user), collector: place.collector,
            connectTimeout: .seconds(60))
    }

    func box(
        _ name: String, on database: String? = nil, as user: String? = nil, retention: Duration = .seconds(86_400)
    ) throws -> UploadBox {
        try UploadBox(
            workspace.file(name), configuration(on: database, as: user), retention: retention, batchRows: 700)
    }

    /// Opens a box, and has it collect and upload trades.
    func box(
        _ name: String, as user: String? = nil, retention: Duration = .seconds(86_400), uploading ids: ClosedRange<Int>
    ) async throws -> UploadBox {
        let box = try box(name, as: user, retention: retention)
        try await box.upload(ids)
        return box
    }

    /// Copies the buffer's files in a directory as they are now.
    func copy(_ from: String, to name: String) throws {
        try FileManager.default.createDirectory(atPath: workspace.file(name), withIntermediateDirectories: false)
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: "\(from)/ticks.sqlite\(suffix)") {
            try FileManager.default.copyItem(
                atPath: "\(from)/ticks.sqlite\(suffix)", toPath: workspace.file("\(name)/ticks.sqlite\(suffix)"))
        }
    }

    /// Runs SQL in the database, and returns what psql prints.
    @discardableResult
    func sql(_ text: String) throws -> String { try cluster.value(text, database: database) }

    /// The ids upstream, each of which must be there once.
    func upstream(_ database: String? = nil) throws -> Set<Int> {
        let text = try cluster.psql("SELECT trade_id FROM trades", database: database ?? self.database)
        let ids = text.split(separator: "\n").compactMap { Int($0.trimmingCharacters(in: .whitespaces)) }
        #expect(ids.count == Set(ids).count, "rows are doubled upstream")
        return Set(ids)
    }

    func emptyDatabase() async throws -> String {
        try await cluster.makeMigratedDatabase(for: place.collector).database
    }

    func pass(of box: UploadBox, on database: String) throws -> UploadPass {
        let uploader = Uploader(
            configuration: try configuration(on: database), bufferID: box.buffer.id, logger: quiet)
        return UploadPass(buffer: box.buffer, uploader: uploader, batchRows: 700)
    }

    /// Uploads all rows, and waits until all but the newest are deleted.
    func uploadAndDelete(_ box: UploadBox, through last: Int64) async throws {
        try await box.upload()
        let buffer = box.buffer
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.trades].marks.deleted == last - 1 }
    }

    /// The file of a box that has stopped, as `verify` sees it.
    func verified(_ box: UploadBox) async throws -> FileVerification {
        var verified = try FileVerifier.verify(box.file, as: .ticks)
        let rows = try await UploadedRows.compare(.trades, of: verified, with: box.uploader)
        await box.uploader.disconnect()
        rows.note(.trades, in: &verified)
        return verified
    }

    /// What `verify` finds in the file of a box that has stopped.
    func findings(of box: UploadBox) async throws -> [String] { try await verified(box).findings.map(\.text) }
}
