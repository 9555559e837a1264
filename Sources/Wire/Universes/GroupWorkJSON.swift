package import MarketData
package import Store
package import Universe
package import Upstream

extension GroupRecord.Identity: WireObject {
    package static let schemaName = "GroupIdentity"
}

/// A group with its members: `edgetick universe show`.
package struct GroupDetailJSON: WireObject {
    package var name: String
    package var type: String
    package var environment: String
    package var description: String?
    package var origin: GroupOrigin
    package var source: String?
    package var updated_ms: Int64?
    package var member_count: Int
    package var members: [MemberJSON]

    package static let meanings = [
        "origin": "pulled: from the database, replaced by the next pull; local: from this machine",
        "source": "The file that it was imported from", "updated_ms": "When it last changed",
    ]

    package init(_ group: MirrorContents.Group) {
        (name, type, environment) = group.record.identity.parts
        description = group.record.description
        origin = group.origin
        source = group.imported?.source
        updated_ms = group.record.updatedAt
        member_count = group.record.members.count
        members = group.record.members.map(MemberJSON.init)
    }
}

/// The result of an import: `edgetick universe import`.
package struct ImportJSON: WireObject {
    package struct Problem: WireObject {
        package var line: Int
        package var text: String
        package var fault: Bool

        package static let meanings = ["fault": "Whether something was left out"]
    }

    package struct File: WireObject {
        package var file: String
        package var name: String?
        package var type: String?
        package var environment: String?
        package var format: String?
        package var symbols: Int
        package var outcome: String
        package var reason: String?
        package var added: [String]
        package var removed: [String]
        package var reweighted: [MembershipDifference.Reweighting]
        package var sectors: Int
        package var problems: [Problem]
        package var remarks: [String]

        package static let meanings = [
            "name": "The group's", "format": "What the content was recognized as", "symbols": "How many",
            "outcome": "written, unchanged, refused or failed", "reason": "Why it was not imported",
            "sectors": "SECTOR groups that changed",
        ]

        package init(_ report: UniverseImporter.Report) {
            file = report.file
            name = report.group?.name
            type = report.group?.type.rawValue
            environment = report.group?.environment
            format = report.format?.rawValue
            symbols = report.symbols
            (outcome, reason) =
                switch report.outcome {
                case .written: ("written", nil)
                case .unchanged: ("unchanged", nil)
                case .refused(let text): ("refused", text)
                case .failed(let text): ("failed", text)
                }
            added = report.difference?.added ?? []
            removed = report.difference?.removed ?? []
            reweighted = report.difference?.reweighted ?? []
            sectors = report.sectors
            problems = report.problems.map { Problem(line: $0.line, text: $0.text, fault: $0.isFault) }
            remarks = report.remarks
        }
    }

    /// The sectors derived from the sector ETFs.
    package struct Sectors: WireObject {
        package var changed: [String]
        package var remarks: [String]

        package static let meanings = ["changed": "SECTOR groups"]
    }

    package var dry_run: Bool
    package var files: [File]
    package var sectors: Sectors?
    package var coverage: SectorDerivation.Coverage?

    package init(
        _ reports: [UniverseImporter.Report], sectors: UniverseImporter.SectorReport?,
        coverage: SectorDerivation.Coverage?, isDryRun: Bool
    ) {
        dry_run = isDryRun
        files = reports.map(File.init)
        self.sectors = sectors.map { Sectors(changed: $0.sectors, remarks: $0.remarks) }
        self.coverage = coverage
    }
}

extension MembershipDifference.Reweighting: WireObject {
    package static let schemaName = "ImportReweighting"
}

extension SectorDerivation.Coverage: WireObject {
    package static let schemaName = "ImportCoverage"
    package static let meanings = ["classified": "Stocks with a sector", "missing": "Stocks without one"]
}

/// The result of restoring a backup: `edgetick universe import` of one.
package struct RestoredJSON: WireObject {
    package var groups: Int
    package var memberships: Int
    package var settings: Int
    package var replaced: Int
    package var unchanged: Bool
    package var dry_run: Bool

    package static let meanings = [
        "settings": "Rows of cache_entries", "replaced": "Groups that were there before",
        "unchanged": "Whether everything was already there",
    ]

    package init(_ contents: MirrorContents, over held: MirrorContents, isDryRun: Bool) {
        groups = contents.groups.count
        memberships = contents.groups.reduce(0) { $0 + $1.record.members.count }
        settings = contents.entries.count
        replaced = held.groups.count
        unchanged = held == contents
        dry_run = isDryRun
    }
}

/// The changes made by a pull: `edgetick universe pull`.
package struct PullJSON: WireObject {
    package var source: String
    package var unchanged: Bool
    package var groups: Int
    package var memberships: Int
    package var settings: Int
    package var added: [GroupRecord.Identity]
    package var removed: [GroupRecord.Identity]
    package var changed: [PullChanges.Group]
    package var hidden: [GroupRecord.Identity]
    package var remarks: [String]

    package static let meanings = [
        "source": "The database, without secrets", "groups": "In the database", "settings": "Rows of cache_entries",
        "hidden": "Local groups that hide the database's of the same name",
    ]

    package init(_ changes: PullChanges?, of snapshot: UniverseSnapshot) {
        source = snapshot.source
        unchanged = changes == nil
        groups = snapshot.records.groups.count
        memberships = snapshot.records.membershipCount
        settings = snapshot.records.entries.count
        added = changes?.added ?? []
        removed = changes?.removed ?? []
        changed = changes?.changed ?? []
        hidden = changes?.shadowed ?? []
        remarks = snapshot.remarks
    }
}

extension PullChanges.Group: WireObject {
    package static let schemaName = "PullGroup"
    package static let meanings = ["added": "Members", "removed": "Members", "altered": "Members"]
}

/// The result for one local group: an element of the output of `edgetick universe push`.
package struct PushJSON: WireObject {
    package var name: String
    package var type: String
    package var environment: String
    package var action: String
    package var added: [String]
    package var removed: [String]
    package var reweighted: [String]
    package var redescribed: [String]
    package var written_as: String?
    package var failure: String?

    package static let meanings = [
        "action": "create, update or unchanged", "added": "Symbols", "removed": "Symbols",
        "reweighted": "Symbols with another weight", "redescribed": "Symbols with other metadata",
        "written_as": "The type upstream, if the database does not accept the group's own",
        "failure": "Why it was not written",
    ]

    package init(_ group: PushPlan.Group) {
        (name, type, environment) = group.identity.parts
        action = group.action.rawValue
        added = group.added
        removed = group.removed
        reweighted = group.reweighted
        redescribed = group.redescribed
        written_as = group.writtenAs
        failure = group.failure
    }
}

/// A group given back to the database: `edgetick universe give-back`.
package struct GivenBackJSON: WireObject {
    package var name: String
    package var type: String
    package var environment: String
    package var members: Int
    package var added: [String]
    package var removed: [String]

    package static let meanings = ["members": "How many the database's group has"]

    package init(_ group: GroupRecord, _ difference: MembershipDifference) {
        (name, type, environment) = group.identity.parts
        members = group.members.count
        added = difference.added
        removed = difference.removed
    }
}

/// A group that is gone: `edgetick universe remove`.
package struct RemovedGroupJSON: WireObject {
    package var name: String
    package var type: String
    package var environment: String
    package var members: Int

    package static let meanings = ["members": "How many it had"]

    package init(_ group: GroupRecord) {
        (name, type, environment) = group.identity.parts
        members = group.members.count
    }
}

/// The groups made from one old stock list: an element of the output of `edgetick universe migrate-legacy`.
package struct LegacyListJSON: WireObject {
    package struct Group: WireObject {
        package var name: String
        package var type: String
        package var environment: String
        package var symbols: Int
        package var outcome: String

        package static let meanings = [
            "outcome": "new, updated, unchanged, or kept: a group of this name that no migration made",
            "symbols": "How many",
        ]

        init(_ group: LegacyMigration.Group) {
            name = group.definition.name
            type = group.definition.type.rawValue
            environment = group.definition.environment
            symbols = group.symbols
            outcome = group.outcome.rawValue
        }
    }

    package var source: String
    package var groups: [Group]
    package var symbols: Int
    package var refused: [String]
    package var reason: String?

    package static let meanings = [
        "source": "The row of cache_entries", "symbols": "How many", "refused": "Entries that are not symbols",
        "reason": "Why it was not read",
    ]

    package init(_ row: LegacyMigration.Row) {
        source = row.source
        groups = row.groups.map(Group.init)
        symbols = row.symbols
        refused = row.refused
        reason = row.fault
    }
}

/// The faults found in the groups: `edgetick universe validate`.
package struct ValidationJSON: WireObject {
    package var faults: Int
    package var warnings: Int
    package var notes: Int
    package var fixed: Int
    package var findings: [UniverseFinding]

    package static let meanings = ["fixed": "Groups that were fixed before this was found"]

    package init(_ validation: UniverseValidation, fixed: Int) {
        faults = validation.count(.fault)
        warnings = validation.count(.warning)
        notes = validation.count(.note)
        self.fixed = fixed
        findings = validation.findings
    }
}

extension UniverseFinding: WireObject {
    package static let meanings = [
        "check": "What was checked", "fixable": "Whether universe validate --fix fixes it",
    ]
}

extension GroupRecord.Identity {
    fileprivate var parts: (name: String, type: String, environment: String) { (name, type, environment) }
}
