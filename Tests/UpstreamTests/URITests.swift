import MarketData
import Testing

@testable import Upstream

@Suite(.timeLimit(.minutes(5))) struct URITests {
    private func settings(_ uri: String) throws -> ConnectionSettings {
        try UpstreamConfiguration(uri: uri, collector: "c").settings
    }

    @Test(
        arguments: [
            "postgresql://u@db.example/market", "postgresql://u@10.0.0.7/market", "postgres://u@localhost,db2/market",
            "postgresql://u@localhost/market?hostaddr=192.0.2.7", "postgresql://u@[2001:db8::1]:5433/market",
        ])
    func `off loopback the server must prove who it is`(uri: String) throws {
        let settings = try settings(uri)
        #expect(settings.options["sslmode"] == "verify-full")
        #expect(settings.options["sslrootcert"]?.hasPrefix("/etc/") == true)
        #expect(settings.warnings.isEmpty)
    }

    @Test(
        arguments: [
            "postgresql://u@localhost/market", "postgresql://127.0.0.1:5433/market", "postgresql://127.8.8.8/market",
            "postgresql://u@[::1]/market", "postgresql:///market?host=/var/run/postgresql",
            "postgresql://%2Fvar%2Frun/market", "postgresql://db.example/market?hostaddr=127.0.0.1",
        ])
    func `on this machine TLS is not asked for`(uri: String) throws {
        #expect(try settings(uri).options["sslmode"] == nil)
    }

    @Test func `what the URI says about TLS counts, with a warning`() throws {
        let settings = try settings("postgresql://u@db.example/market?sslmode=require")
        #expect(settings.options["sslmode"] == "require")
        #expect(settings.warnings.count == 1)
        let named = try self.settings("postgresql://u@db.example/market?sslmode=verify-full&sslrootcert=/my/ca.crt")
        #expect(named.options["sslrootcert"] == "/my/ca.crt")
        #expect(try self.settings("postgresql://db/m?connect_timeout=3").connectTimeout == .seconds(3))
    }

    @Test func `several servers keep their own ports`() throws {
        let servers = try settings("postgresql://u@a:1,b,%2Ftmp:3/market").servers
        #expect(servers.map(\.host) == ["a", "b", "/tmp"] && servers.map(\.port) == ["1", nil, "3"])
        let shared = try settings("postgresql://u@/market?host=a,b&port=6543").servers
        #expect(shared == [.init(host: "a", port: "6543"), .init(host: "b", port: "6543")])
    }

    @Test(
        arguments: [
            ("mysql://u:canary4711@h/db", "must begin with postgresql://"),
            ("jdbc:postgresql://h/db?user=u&password=canary4711", "leave out jdbc:"),
            ("host=h user=u password=canary4711 dbname=db", "list of key=value"),
            ("postgresql://u:canary4711@h/db?sslmode=no-verify", "use sslmode=require to encrypt"),
            ("postgresql://u:canary4711@h/db?sslmode=sure", "sslmode must be one of"),
            ("postgresql://u:canary4711@h/db?ssl=1", "use sslmode instead"),
            ("postgresql://u:canary4711@h/db?gssencmode=require", "Kerberos"),
            (
                "postgresql://u:canary4711@h/db?pgbouncer=true&connection_limit=1",
                "remove the option connection_limit: it belongs to another client"
            ),
            ("postgresql://u:canary4711@h/db?schema=market", "options=-csearch_path%3DNAME"),
            ("postgresql://u:canary4711@h/db?options=endpoint%3Da;b", "options"),
            ("postgresql+psycopg2://u:canary4711@h/db", "postgresql://"),
            ("", "must begin with postgresql://"),
            ("postgresql://u:canary4711@h/db?service=prod", "service"),
            ("postgresql://u:canary4711@h/db?options=-cstatement_timeout%3D0", "options"),
            ("postgresql://u:canary4711@h/db?krbsrvname=x", "krbsrvname"),
            ("postgresql://u:canary4711@h/db?replication=true", "replication"),
            ("postgresql://u:canary4711@h/db?sslkey=engine:canary4711", "engine"),
            ("postgresql://u:canary4711@h/db?target_session_attrs=standby", "target_session_attrs"),
            ("postgresql://u:canary4711@h/db?client_encoding=latin1", "client_encoding"),
            ("postgresql://u:canary4711@h/db?nonsense=canary4711", "can't read it"),
            ("postgresql://u:canary4711@h:port/db", "port"),
            ("postgresql://u:canary4711@h:99999/db", "port"),
            ("postgresql://u:canary4711@h/db?connect_timeout=soon", "connect_timeout"),
            // Passwords with characters that had to be escaped.
            ("postgresql://u:x/canary4711@h/db", "%2F"),
            ("postgresql://u:4711/canary4711@h/db", "%2F"),
            ("postgresql://u:x@canary4711@h/db", "%40"),
            ("postgresql://u:x%zcanary4711@h/db", "%25"),
            ("postgresql://u:canary4711@[h/db", "can't read it"),
        ])
    func `a URI that can't be used is refused, and no piece of the password is shown`(
        uri: String, reason: String
    ) throws {
        let error = #expect(throws: UpstreamError.self) { try settings(uri) }
        #expect(error?.reason == .configuration)
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        #expect(error.map { "\($0)" }?.contains("canary4711") == false)
        #expect(error.map { "\($0)" }?.contains("\n") == false)
    }

    @Test(
        arguments: [
            // Neon, Supabase (session and transaction pooler), Timescale Cloud, Heroku, RDS, Azure.
            "postgresql://u:p@ep-cool-1.eu-central-1.aws.neon.tech/db?sslmode=require&channel_binding=prefer",
            "postgresql://u:p@ep-cool-1.neon.tech/db?sslmode=require&options=endpoint%3Dep-cool-1",
            "postgresql://u:p@ep-cool-1.neon.tech/db?sslmode=require&options=project%3Dcool-1&sslnegotiation=direct",
            "postgresql://postgres.abcdefgh:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
            "postgresql://postgres:p@db.abcdefgh.supabase.co:5432/postgres?options=reference%3Dabcdefgh",
            "postgres://tsdbadmin:p@abc.def.tsdb.cloud.timescale.com:33333/tsdb?sslmode=require&gssencmode=disable",
            "postgres://u:p@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d1?ssl=true",
            "postgresql://u:p@db.abc.eu-west-1.rds.amazonaws.com:5432/db?sslmode=verify-full&sslrootcert=rds.pem",
            "postgresql://u%40server:p@server.postgres.database.azure.com:5432/db?sslmode=require&sslnegotiation=postgres",
        ])
    func `the addresses that providers give out are taken`(uri: String) throws {
        #expect(try settings(uri).servers.count == 1)
    }

    @Test func `what chooses a database behind one address is shown`() throws {
        let configuration = try UpstreamConfiguration(
            uri: "postgresql://u:p@h.example/db?options=endpoint%3Dep-1", collector: "c")
        #expect(configuration.target == "h.example:5432/db as u, endpoint=ep-1")
    }

    @Test func `all that is wrong is told at once`() throws {
        let error = #expect(throws: UpstreamError.self) {
            try settings(
                "postgresql://u:p@h/db?pgbouncer=true&schema=x&sslmode=no-verify&service=s&client_encoding=latin1")
        }
        for word in ["pgbouncer", "schema", "no-verify", "service", "client_encoding"] {
            #expect(error?.text.contains(word) == true, "\(word)")
        }
    }

    @Test func `libpq's tabs and questions don't reach a person`() {
        let refusal = ConnectionRefusal(
            "connection to server at \"127.0.0.1\", port 9 failed: Connection refused\n\tIs the server running on that host "
                + "and accepting TCP/IP connections?", needsPassword: false)
        #expect(refusal.text == "connection to server at \"127.0.0.1\", port 9 failed: Connection refused")
        #expect(refusal.reason(duringTLS: false) == .connectionLost)
    }

    @Test func `what a pooler doesn't take at the start is a matter of settings`() {
        let refusal = ConnectionRefusal(
            "connection failed: FATAL:  08P01: unsupported startup parameter: options", needsPassword: false)
        #expect(refusal.sqlState == "08P01" && refusal.reason(duringTLS: false) == .configuration)
    }

    @Test(arguments: [
        "query_wait_timeout", "no more connections allowed (max_client_conn)",
        "server login has been failing, try again later (server_login_retry)", "pgbouncer cannot connect to server",
    ])
    func `what a pooler says while its server is down, or its pool is full, passes by itself`(text: String) {
        let refusal = ConnectionRefusal("connection failed: FATAL:  08P01: \(text)", needsPassword: false)
        #expect(refusal.reason(duringTLS: false) == .connectionLost)
    }

    @Test func `the search path and the role may be chosen`() throws {
        let uri = "postgresql://u@localhost/db?options=-csearch_path%3Dmarket%20-c%20role%3Dwriter"
        #expect(try settings(uri).options["options"] == "-csearch_path=market -c role=writer")
    }

    @Test func `what is shown of the target holds no password`() throws {
        let configuration = try UpstreamConfiguration(
            uri: "postgresql://feeder:canary4711@db.example:5433/market", collector: "c")
        #expect(configuration.target == "db.example:5433/market as feeder")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("canary4711") && dumped.contains("feeder"))
    }

    @Test func `a secret is masked wherever it stands in a text`() {
        let secrets = SecretTexts(["s3cret", "s3cret-longer", ""])
        #expect(secrets.mask("a s3cret-longer b s3cret\n\tc") == "a •••• b •••• c")
    }

    @Test func `a text without end is cut, and no secret with it`() {
        let secrets = SecretTexts(["s3cret"])
        let text = String(repeating: "x", count: SecretTexts.longest - 2)
        #expect(secrets.mask(text + "s3cret") == text + "••…")
        #expect(secrets.mask(String(repeating: text, count: 1000)) == text + "xx…")
    }

    @Test func `the code is found in a refusal in any language`() {
        let english = ConnectionRefusal(
            """
            connection to server at "127.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed
            LOCATION:  auth_failed, auth.c:335

            """.split(separator: "\n").joined(separator: " "), needsPassword: false)
        #expect(english.sqlState == "28P01")
        #expect(english.text.hasSuffix("failed: FATAL: password authentication failed"))
        let other = ConnectionRefusal("connexion échouée : FATAL :  57P03: le système démarre", needsPassword: false)
        #expect(other.reason(duringTLS: false) == .connectionLost)
        let cut = ConnectionRefusal("SSL SYSCALL error: EOF detected", needsPassword: false)
        #expect(cut.reason(duringTLS: true) == .connectionLost)
        let untrusted = ConnectionRefusal("SSL error: certificate verify failed", needsPassword: false)
        #expect(untrusted.reason(duringTLS: true) == .tls)
        for text in ["session is read-only", "server is in hot standby mode"] {
            let standby = ConnectionRefusal("connection to server failed: \(text)", needsPassword: false)
            #expect(standby.reason(duringTLS: false) == .readOnly)
        }
        let down = ConnectionRefusal("connection to server failed: Connection refused", needsPassword: false)
        #expect(down.reason(duringTLS: false) == .connectionLost)
    }

    @Test(
        arguments: [
            ("postgresql://u:new@db.example/market", "u", "new"), ("postgresql://v:new@db.example/market", "v", "new"),
            ("postgresql://u:new@other.example/market", "u", "old"),
            ("postgresql://u:new@db.example/other", "u", "old"),
            ("postgresql://u:new@db.example/market?sslmode=require", "u", "old"), ("no URI at all", "u", "old"),
        ])
    func `of a URI that is read again the login counts where it leads to the same place`(
        uri: String, user: String, password: String
    ) throws {
        let first = try UpstreamConfiguration(
            uri: "postgresql://u:old@db.example/market", reread: { uri }, collector: "c")
        let settings = first.renewed().settings
        #expect(settings.options["user"] == user && settings.credentials["password"]?.reveal() == password)
        let unnamed = try UpstreamConfiguration(
            uri: "postgresql://u:old@db.example", reread: { "postgresql://v:new@db.example" }, collector: "c")
        #expect(unnamed.renewed().settings.options["user"] == "u", "the database has its user's name")
    }
}
