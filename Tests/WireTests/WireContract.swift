import Universe
import Wire

/// Every answer with the places that it comes from, as docs/json.md lists them.
enum WireContract {
    /// An answer and who gives it.
    struct Answer: Sendable {
        let type: any WireObject.Type
        let places: [String]

        /// The answer's form.
        var object: Schema.Object? {
            if case .object(let object) = Schema.of(type) { object } else { nil }
        }
    }

    /// The answers, in the order of the document.
    static let answers: [Answer] = [
        Answer(
            type: StatusJSON.self, places: ["GET /api/status", "metrics_update of /api/events", "instance of Files"]),
        Answer(type: FilesJSON.self, places: ["edgetick status --json"]),
        Answer(type: HealthJSON.self, places: ["GET /health/live", "GET /health/ready", "health of Status"]),
        Answer(type: HistoryJSON.self, places: ["GET /api/history"]),
        Answer(type: SyncJSON.self, places: ["GET, POST /api/sync", "sync of Status"]),
        Answer(
            type: ConnectionsJSON.self,
            places: ["GET /api/websocket/connections", "connection_status_update of /api/events"]),
        Answer(
            type: ConnectionJSON.self,
            places: ["GET, POST /api/websocket/connections/{id}", "connections of Status and Connections"]),
        Answer(type: TickersJSON.self, places: ["GET /api/websocket/connections/{id}/tickers"]),
        Answer(type: SymbolsJSON.self, places: ["GET /api/symbols"]),
        Answer(type: PlacementJSON.self, places: ["GET /api/websocket/symbols/{symbol}"]),
        Answer(type: RebalanceJSON.self, places: ["POST /api/websocket/rebalance"]),
        Answer(type: SubscriptionChangeJSON.self, places: ["POST, DELETE /api/websocket/subscriptions"]),
        Answer(type: RemovedConnectionJSON.self, places: ["DELETE /api/websocket/connections/{id}"]),
        Answer(type: WebsocketStatusJSON.self, places: ["GET /api/admin/websocket-status"]),
        Answer(type: RelayJSON.self, places: ["GET /api/relay"]),
        Answer(type: FleetJSON.self, places: ["GET /api/fleet", "edgetick fleet --json"]),
        Answer(type: RecentEventsJSON.self, places: ["GET /api/ticks/recent"]),
        Answer(type: TickUpdateJSON.self, places: ["tick_update of /api/events"]),
        Answer(type: MessagesDroppedJSON.self, places: ["messages_dropped of /api/events"]),
        Answer(type: BarsJSON.self, places: ["GET /api/bars", "edgetick query --json"]),
        Answer(type: GapsJSON.self, places: ["GET /api/gaps", "edgetick gaps --json"]),
        Answer(type: UploadJSON.self, places: ["edgetick sync --json"]),
        Answer(type: PendingJSON.self, places: ["edgetick sync --dry-run --json"]),
        Answer(type: BackfillJSON.self, places: ["edgetick backfill --from --json"]),
        Answer(type: BackfilledGapsJSON.self, places: ["edgetick backfill --json"]),
        Answer(type: VerificationJSON.self, places: ["edgetick verify --json, a list of"]),
        Answer(type: RepairJSON.self, places: ["edgetick repair --json, a list of"]),
        Answer(type: ReconcileJSON.self, places: ["edgetick reconcile --json"]),
        Answer(type: CoverageJSON.self, places: ["GET /api/coverage", "edgetick coverage --json"]),
        Answer(type: ExportJSON.self, places: ["edgetick export --json"]),
        Answer(type: CaptureJSON.self, places: ["edgetick capture --json"]),
        Answer(type: DeadLettersJSON.self, places: ["GET /api/dead-letters", "edgetick dead-letters list --json"]),
        Answer(type: DeadLetterRetryJSON.self, places: ["edgetick dead-letters retry --json"]),
        Answer(type: DeadLetterRequeueJSON.self, places: ["POST /api/dead-letters/retry"]),
        Answer(
            type: DeadLetterDiscardJSON.self,
            places: ["POST /api/dead-letters/discard", "edgetick dead-letters discard --json"]),
        Answer(
            type: GroupsJSON.self,
            places: ["GET /api/groups", "GET /api/universes", "edgetick universe list --json"]),
        Answer(
            type: GroupMembersJSON.self,
            places: [
                "GET /api/groups/{type}/{name}", "GET /api/etfs/{symbol}", "GET /api/sectors/{name}",
                "GET /api/themes/{name}",
            ]),
        Answer(type: ResolutionJSON.self, places: ["GET /api/universes/{key}", "edgetick universe resolve --json"]),
        Answer(type: StockJSON.self, places: ["GET /api/stocks/{symbol}", "edgetick universe show --stock --json"]),
        Answer(type: GroupDetailJSON.self, places: ["edgetick universe show --json"]),
        Answer(type: ImportJSON.self, places: ["edgetick universe import --json"]),
        Answer(type: RestoredJSON.self, places: ["edgetick universe import --json of a backup"]),
        Answer(type: PullJSON.self, places: ["edgetick universe pull --json"]),
        Answer(type: PushJSON.self, places: ["edgetick universe push --json, a list of"]),
        Answer(type: GivenBackJSON.self, places: ["edgetick universe give-back --json"]),
        Answer(type: RemovedGroupJSON.self, places: ["edgetick universe remove --json"]),
        Answer(type: LegacyListJSON.self, places: ["edgetick universe migrate-legacy --json, a list of"]),
        Answer(type: ValidationJSON.self, places: ["edgetick universe validate --json"]),
        Answer(type: UniverseReport.self, places: ["edgetick universe report --json"]),
        Answer(type: CacheEntryJSON.self, places: ["edgetick settings list, get --json, a list of"]),
        Answer(type: ConfigJSON.self, places: ["edgetick config --json"]),
        Answer(type: DoctorFindingJSON.self, places: ["edgetick doctor --json, a list of"]),
        Answer(type: MigrationJSON.self, places: ["edgetick migrate --json"]),
        Answer(type: JoinJSON.self, places: ["edgetick join --json"]),
        Answer(type: RefreshJSON.self, places: ["POST /api/universes/refresh"]),
        Answer(type: ProblemJSON.self, places: ["every refusal, as application/problem+json"]),
    ]

    /// The document.
    static var markdown: String {
        var text = """
            # JSON

            This page lists the JSON that the API returns, the event stream sends and the commands print with `--json`.
            Each response is one type of the module `Wire`: the server encodes it, the command prints the same text, and
            `/api/openapi.json` and this page are generated from it.

            Names are in snake_case. The names of times end in `_ms`: they are integers in milliseconds since the Unix
            epoch. The names of durations end in `_seconds`: they are numbers of seconds. Only
            `/api/admin/websocket-status` also has times in Unix seconds, under the names that other programs expect
            there. Every member is always present; a value that is not known is `null`. Members may be added, so a reader
            should ignore those that it does not know.

            For events, `edgetick tail --json` and `edgetick query --json` print rows instead: the columns of
            [columns.md](columns.md) that have a value, with `kind`, `connection`, `received_us` and `seq`. A trade that
            cancels or corrects another one also has `adjustment`.

            """
        var known: Set<String> = []
        for answer in answers {
            guard let object = answer.object else { continue }
            text += "\n## \(object.name)\n\n" + answer.places.map { "`\($0)`" }.joined(separator: ", ") + "\n"
            text += describe(object, &known)
        }
        return text
    }

    private static func describe(_ object: Schema.Object, _ known: inout Set<String>) -> String {
        guard known.insert(object.name).inserted else { return "" }
        var text = "\n| member | form | meaning |\n|---|---|---|\n"
        for member in object.members {
            text += "| `\(member.name)` | \(member.schema.words) | \(member.meaning ?? "") |\n"
        }
        let answers = Set(answers.compactMap { $0.object?.name })
        for part in object.members.flatMap({ $0.schema.objects }) where !answers.contains(part.name) {
            guard !known.contains(part.name) else { continue }
            text += "\n### \(part.name)\n" + describe(part, &known)
        }
        return text
    }
}

extension Schema {
    /// The form in words.
    fileprivate var words: String {
        switch self {
        case .boolean: "true or false"
        case .integer: "integer"
        case .number: "number"
        case .text: "text"
        case .words(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .choice(let numbers): numbers.map { "\($0)" }.joined(separator: " or ")
        case .list(let element, _): "list: \(element.words)"
        case .map(let value): "object by name: \(value.words)"
        case .object(let object): "[\(object.name)](#\(object.name.lowercased()))"
        case .oneOf(let schemas): schemas.map(\.words).joined(separator: " or ")
        case .nullable(let schema): "\(schema.words), or null"
        case .null: "null"
        case .any: "anything"
        }
    }

    /// The objects that the form holds, itself included.
    fileprivate var objects: [Object] {
        switch self {
        case .object(let object): [object]
        case .list(let schema, _), .map(let schema), .nullable(let schema): schema.objects
        case .oneOf(let schemas): schemas.flatMap(\.objects)
        case .boolean, .integer, .number, .text, .words, .choice, .null, .any: []
        }
    }
}
