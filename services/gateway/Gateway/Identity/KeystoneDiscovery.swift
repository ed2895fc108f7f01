import NIOHTTP1

/// What is served, as clients find out before they log in.
extension IdentityAPI {
    /// `GET /`: choose one of several.
    func versions(_ request: SwiftRequest) -> S3Response {
        let origin = settings.origin(of: request)
        var response = S3Response.json(
            ["versions": ["values": [Self.versionThree(origin), Self.versionTwo(origin)]]],
            status: .multipleChoices)
        response.headers.add(name: "Location", value: origin + "/v3/")
        return response
    }

    static func versionThree(_ origin: String) -> JSON {
        [
            "id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
            "links": [["rel": "self", "href": "\(origin)/v3/"]],
            "media-types": [mediaType("v3")],
        ]
    }

    static func versionTwo(_ origin: String) -> JSON {
        [
            "id": "v2.0", "status": "deprecated", "updated": "2014-04-17T00:00:00Z",
            "links": [["rel": "self", "href": "\(origin)/v2.0/"]],
            "media-types": [mediaType("v2.0")],
        ]
    }

    private static func mediaType(_ version: String) -> JSON {
        ["base": "application/json", "type": "application/vnd.openstack.identity-\(version)+json"]
    }

    // MARK: - The catalog

    private static let objectStoreID = "6d617274-6c65-7400-0000-000000000001".filter { $0 != "-" }
    private static let identityID = "6d617274-6c65-7400-0000-000000000002".filter { $0 != "-" }

    /// The services of a project, in the form of v3.
    func catalog(ofProject project: String, _ request: SwiftRequest) -> JSON {
        let origin = settings.origin(of: request)
        return [
            service(
                Self.objectStoreID, "object-store", "swift", settings.storageURL(ofProject: project, for: request)),
            service(Self.identityID, "identity", "keystone", origin + "/v3"),
        ]
    }

    private func service(_ id: String, _ type: String, _ name: String, _ url: String) -> JSON {
        let endpoints = ["admin", "internal", "public"].enumerated().map { index, interface -> JSON in
            [
                "id": .text(String(id.dropLast()) + String(index + 7)), "interface": .text(interface),
                "region": .text(settings.region), "region_id": .text(settings.region), "url": .text(url),
            ]
        }
        return ["id": .text(id), "type": .text(type), "name": .text(name), "endpoints": .list(endpoints)]
    }

    /// The same in the form of v2.0.
    func serviceCatalog(ofProject project: String, _ request: SwiftRequest) -> JSON {
        let storage = settings.storageURL(ofProject: project, for: request)
        let identity = settings.origin(of: request) + "/v2.0"
        return [
            legacyService(Self.objectStoreID, "object-store", "swift", storage),
            legacyService(Self.identityID, "identity", "keystone", identity),
        ]
    }

    private func legacyService(_ id: String, _ type: String, _ name: String, _ url: String) -> JSON {
        [
            "type": .text(type), "name": .text(name), "endpoints_links": [],
            "endpoints": [
                [
                    "region": .text(settings.region), "publicURL": .text(url), "internalURL": .text(url),
                    "adminURL": .text(url), "id": .text(id),
                ]
            ],
        ]
    }
}
