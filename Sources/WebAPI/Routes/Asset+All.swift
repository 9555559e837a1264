extension Asset {
    /// The page.
    static let page = Asset("dashboard.html", PackageResources.dashboard_html)
    /// The description of the API.
    static let openAPI = Asset("openapi.json", PackageResources.openapi_json)
    static let all: [Asset] = []
}
