package import MarketData

/// EdgeTick's own settings in effect: `edgetick config --json`. Contains no secret.
package struct ConfigJSON: WireObject {
    /// Where a value came from, and the file and line if it came from one.
    package typealias Place = (origin: Origin, file: String?, line: Int?)

    /// Where a value came from.
    package enum Origin: String, Codable, CaseIterable, Sendable {
        case `default`
        case environment
        case file
        case secret_file
    }

    package struct Setting: WireObject {
        package var key: String
        package var value: String?
        package var origin: Origin
        package var file: String?
        package var line: Int?
        package var meaning: String

        package static let meanings = ConfigJSON.places.merging(["value": "In effect, secrets masked"]) { $1 }

        package init(key: String, value: String?, from place: Place, meaning: String) {
            (self.key, self.value, self.meaning) = (key, value, meaning)
            (origin, file, line) = place
        }
    }

    package struct Finding: WireObject {
        package var severity: Severity
        package var key: String
        package var origin: Origin
        package var file: String?
        package var line: Int?
        package var text: String

        package static let meanings = ConfigJSON.places.merging(
            ["severity": "A fault prevents the start", "text": "What is wrong, and what is allowed"]
        ) { $1 }

        package init(severity: Severity, key: String, from place: Place, text: String) {
            (self.severity, self.key, self.text) = (severity, key, text)
            (origin, file, line) = place
        }
    }

    package var settings: [Setting]
    package var findings: [Finding]

    private static let places = [
        "file": "Where origin is file or secret_file", "line": "Of the file of settings, from 1",
    ]

    package init(settings: [Setting], findings: [Finding]) {
        self.settings = settings
        self.findings = findings
    }
}

/// One result of `edgetick doctor`: `--json` prints a list.
package struct DoctorFindingJSON: WireObject {
    package enum Level: String, Codable, CaseIterable, Sendable {
        case ok
        case note
        case warning
        case failure
    }

    package var subject: String
    package var level: Level
    package var text: String

    package static let meanings = [
        "subject": "configuration, files, disk and so on",
        "text": "What was found and, if something is wrong, what to do",
    ]

    package init(subject: String, level: Level, text: String) {
        self.subject = subject
        self.level = level
        self.text = text
    }
}

/// An entry of the platform's `cache_entries`: `edgetick settings list` and `get` print a list.
package struct CacheEntryJSON: WireObject {
    package var type: String
    package var name: String
    package var key: String
    package var value: String?
    package var environment: String
    package var updated_ms: Int64?

    package static let meanings = ["value": "The text in the table, usually a JSON document"]

    package init(_ entry: CacheEntryRecord) {
        type = entry.type
        name = entry.name
        key = entry.key
        value = entry.value
        environment = entry.environment
        updated_ms = entry.updatedAt
    }
}
