/// What is wrong and what to do: problem details (RFC 9457), `application/problem+json`.
package struct ProblemJSON: WireObject {
    /// A parameter or member of the body that is wrong.
    package struct Fault: WireObject, Equatable {
        package var parameter: String
        package var detail: String

        package init(parameter: String, detail: String) {
            self.parameter = parameter
            self.detail = detail
        }
    }

    package var type: String
    package var title: String
    package var status: Int
    package var detail: String
    package var instance: String?
    package var nearest: [String]
    package var errors: [Fault]

    package static let meanings = [
        "type": "urn:edgetick:problem: and a word that is stable for programs", "instance": "The path",
        "nearest": "Names that exist and resemble one that does not", "errors": "The parameters that are wrong",
    ]

    package init(
        type: String, title: String, status: Int, detail: String, instance: String?, nearest: [String], errors: [Fault]
    ) {
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.instance = instance
        self.nearest = nearest
        self.errors = errors
    }
}
