import Foundation

/// Checks a JSON value against the part of JSON Schema 2020-12 that the API's description uses.
struct SchemaCheck: @unchecked Sendable {
    let document: [String: Any]

    func component(_ name: String) -> [String: Any]? {
        let components = document["components"] as? [String: Any]
        return (components?["schemas"] as? [String: [String: Any]])?[name]
    }

    /// What is wrong with a value, each with its place.
    func faults(in value: Any, against schema: [String: Any], at place: String = "$") -> [String] {
        if let reference = schema["$ref"] as? String {
            guard let found = component(String(reference.split(separator: "/").last ?? "")) else {
                return ["\(place): no schema \(reference)"]
            }
            return faults(in: value, against: found, at: place)
        }
        for word in ["anyOf", "oneOf"] {
            guard let forms = schema[word] as? [[String: Any]] else { continue }
            let faults = forms.map { self.faults(in: value, against: $0, at: place) }
            let fitting = faults.count { $0.isEmpty }
            if fitting == 1 || (word == "anyOf" && fitting > 0) { return [] }
            return ["\(place): fits \(fitting) of \(word): " + faults.joined().joined(separator: "; ")]
        }
        var faults: [String] = []
        let types = schema["type"] as? [String] ?? (schema["type"] as? String).map { [$0] } ?? []
        if !types.isEmpty, !types.contains(where: { isOf($0, value) }) {
            faults.append("\(place): \(value) is no \(types.joined(separator: " or "))")
        }
        if let allowed = schema["enum"] as? [Any], !allowed.contains(where: { "\($0)" == "\(value)" }) {
            faults.append("\(place): \(value) is none of \(allowed)")
        }
        if let constant = schema["const"], "\(constant)" != "\(value)" {
            faults.append("\(place): \(value) is not \(constant)")
        }
        if let object = value as? [String: Any] { faults += self.faults(inObject: object, against: schema, at: place) }
        if let text = value as? String {
            if let least = schema["minLength"] as? Int, text.unicodeScalars.count < least {
                faults.append("\(place): \(text) is too short")
            }
            if let most = schema["maxLength"] as? Int, text.unicodeScalars.count > most {
                faults.append("\(place): \(text) is too long")
            }
            if let pattern = schema["pattern"] as? String, (try? Regex(pattern).firstMatch(in: text)) ?? nil == nil {
                faults.append("\(place): \(text) does not match \(pattern)")
            }
        }
        if let array = value as? [Any], let items = schema["items"] as? [String: Any] {
            for (index, element) in array.enumerated() {
                faults += self.faults(in: element, against: items, at: "\(place)[\(index)]")
            }
        }
        return faults
    }

    private func faults(inObject object: [String: Any], against schema: [String: Any], at place: String) -> [String] {
        var faults: [String] = []
        let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
        for name in schema["required"] as? [String] ?? [] where object[name] == nil {
            faults.append("\(place): \(name) is missing")
        }
        for (name, member) in object {
            if let known = properties[name] {
                faults += self.faults(in: member, against: known, at: "\(place).\(name)")
            } else if let others = schema["additionalProperties"] as? [String: Any] {
                faults += self.faults(in: member, against: others, at: "\(place).\(name)")
            } else if schema["additionalProperties"] as? Bool == false {
                faults.append("\(place): \(name) is not described")
            }
        }
        return faults
    }

    private func isOf(_ type: String, _ value: Any) -> Bool {
        switch type {
        case "null": value is NSNull
        case "string": value is String
        case "array": value is [Any]
        case "object": value is [String: Any]
        case "boolean": (value as? NSNumber).map { isBoolean($0) } ?? (value is Bool)
        case "number": (value as? NSNumber).map { !isBoolean($0) } ?? false
        case "integer":
            (value as? NSNumber).map { !isBoolean($0) && $0.doubleValue.rounded() == $0.doubleValue } ?? false
        default: false
        }
    }

    private func isBoolean(_ number: NSNumber) -> Bool {
        number === (true as NSNumber) || number === (false as NSNumber) || String(cString: number.objCType) == "c"
    }
}
