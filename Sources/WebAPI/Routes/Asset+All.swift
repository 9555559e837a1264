extension Asset {
    /// The page for the root address.
    static let page = Asset("dashboard.html") { html }

    /// The page for an address one step below the root.
    static let pageBelow = Asset("dashboard.html") { below(html) }

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
        Asset("api.js") { PackageResources.api_js }, Asset("bars.js") { PackageResources.bars_js },
        Asset("candles.js") { PackageResources.candles_js }, Asset("charts.css") { PackageResources.charts_css },
        Asset("colors.css") { PackageResources.colors_css },
        Asset("connections.js") { PackageResources.connections_js },
        Asset("contact.js") { PackageResources.contact_js }, Asset("coverage.js") { PackageResources.coverage_js },
        Asset("cursor.js") { PackageResources.cursor_js }, Asset("dialogs.js") { PackageResources.dialogs_js },
        Asset("dom.js") { PackageResources.dom_js }, Asset("events.js") { PackageResources.events_js },
        Asset("fleet.js") { PackageResources.fleet_js }, Asset("format.js") { PackageResources.format_js },
        Asset("freshness.js") { PackageResources.freshness_js }, Asset("gaps.js") { PackageResources.gaps_js },
        Asset("history.js") { PackageResources.history_js }, Asset("icon.svg") { PackageResources.icon_svg },
        Asset("layout.css") { PackageResources.layout_css }, Asset("letters.js") { PackageResources.letters_js },
        Asset("linechart.js") { PackageResources.linechart_js }, Asset("main.js") { PackageResources.main_js },
        Asset("overview.js") { PackageResources.overview_js }, Asset("palette.js") { PackageResources.palette_js },
        Asset("parts.css") { PackageResources.parts_css }, Asset("relay.js") { PackageResources.relay_js },
        Asset("route.js") { PackageResources.route_js }, Asset("scale.js") { PackageResources.scale_js },
        Asset("stream.js") { PackageResources.stream_js }, Asset("symbol.js") { PackageResources.symbol_js },
        Asset("theme.js") { PackageResources.theme_js }, Asset("tickers.js") { PackageResources.tickers_js },
        Asset("universes.js") { PackageResources.universes_js }, Asset("zone.js") { PackageResources.zone_js },
    ]
}
