extension Asset {
    /// The page for the root address.
    static let page = Asset("dashboard.html", html)

    /// The page for an address one step below the root.
    static let pageBelow = Asset("dashboard.html", below(html))

    /// The page, with links that let the browser load all modules at once.
    private static let html: [UInt8] = {
        let links = all.filter { $0.name.hasSuffix(".js") && $0.name != "main.js" }
            .map { "<link rel=\"modulepreload\" href=\"assets/\($0.name)\">\n" }.joined()
        let page = String(decoding: PackageResources.dashboard_html, as: UTF8.self)
        return Array(page.replacing("</head>", with: links + "</head>").utf8)
    }()

    /// The page with its relative addresses changed to start one step higher.
    private static func below(_ page: [UInt8]) -> [UInt8] {
        var text = String(decoding: page, as: UTF8.self)
        for attribute in ["href=\"", "src=\""] {
            text.replace(attribute, with: attribute + "../")
            text.replace(attribute + "../#", with: attribute + "#")
        }
        return Array(text.utf8)
    }

    /// The files that the page consists of.
    static let all: [Asset] = [
        ("api.js", PackageResources.api_js), ("bars.js", PackageResources.bars_js),
        ("candles.js", PackageResources.candles_js), ("charts.css", PackageResources.charts_css),
        ("colors.css", PackageResources.colors_css), ("connections.js", PackageResources.connections_js),
        ("contact.js", PackageResources.contact_js), ("coverage.js", PackageResources.coverage_js),
        ("cursor.js", PackageResources.cursor_js), ("dialogs.js", PackageResources.dialogs_js),
        ("dom.js", PackageResources.dom_js), ("events.js", PackageResources.events_js),
        ("fleet.js", PackageResources.fleet_js), ("format.js", PackageResources.format_js),
        ("freshness.js", PackageResources.freshness_js), ("gaps.js", PackageResources.gaps_js),
        ("history.js", PackageResources.history_js), ("icon.svg", PackageResources.icon_svg),
        ("layout.css", PackageResources.layout_css), ("letters.js", PackageResources.letters_js),
        ("linechart.js", PackageResources.linechart_js), ("main.js", PackageResources.main_js),
        ("overview.js", PackageResources.overview_js), ("palette.js", PackageResources.palette_js),
        ("parts.css", PackageResources.parts_css), ("relay.js", PackageResources.relay_js),
        ("route.js", PackageResources.route_js), ("scale.js", PackageResources.scale_js),
        ("stream.js", PackageResources.stream_js), ("symbol.js", PackageResources.symbol_js),
        ("theme.js", PackageResources.theme_js), ("tickers.js", PackageResources.tickers_js),
        ("universes.js", PackageResources.universes_js), ("zone.js", PackageResources.zone_js),
    ].map { Asset($0, $1) }
}
