import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetObjectAttributes.
extension S3Operations {
    private enum Attribute: String {
        case etag = "ETag"
        case checksum = "Checksum"
        case parts = "ObjectParts"
        case storageClass = "StorageClass"
        case size = "ObjectSize"
    }

    func getObjectAttributes(_ call: S3Call) async throws -> S3Response {
        let wanted = try Self.attributes(call.request.headers)
        let parts = try PartsPage(call.request.headers)
        let found = try await readObject(call, withBlob: false).record
        _ = try await openEncryption(found, call)
        let object = try await wholeObject(found, call).record
        var writer = XMLWriter()
        writer.element("GetObjectAttributesResponse", namespace: XMLWriter.s3Namespace) { root in
            if wanted.contains(.etag) { root.element("ETag", object.shownETag) }
            if wanted.contains(.checksum), !object.checksums.isEmpty {
                root.element("Checksum") { element in
                    for (algorithm, value) in object.checksums.checksums {
                        element.element(algorithm.elementName, value)
                    }
                    if !object.checksumType.isEmpty { element.element("ChecksumType", object.checksumType) }
                }
            }
            if wanted.contains(.parts), !object.parts.isEmpty { parts.write(object, to: &root) }
            if wanted.contains(.storageClass) {
                root.element("StorageClass", object.storageClass.isEmpty ? storageClassDefault : object.storageClass)
            }
            if wanted.contains(.size) { root.element("ObjectSize", object.size) }
        }
        var response = S3Response.xml(writer.bytes)
        response.headers.add(name: "Last-Modified", value: HTTPDate.format(object.modifiedSeconds))
        addVersion(of: object, call, to: &response.headers)
        return response
    }

    private static func attributes(_ headers: HTTPHeaders) throws -> Set<Attribute> {
        let names = headers["x-amz-object-attributes"].flatMap { $0.split(separator: ",") }
            .map { name in String(name.filter { $0 != " " }) }
        guard !names.isEmpty else {
            throw S3Error.invalidArgument(
                "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or "
                    + "empty", name: "x-amz-object-attributes", value: "")
        }
        return try Set(
            names.map { name in
                guard let attribute = Attribute(rawValue: name) else {
                    throw S3Error.invalidArgument(
                        "Invalid attribute name specified.", name: "x-amz-object-attributes", value: name)
                }
                return attribute
            })
    }
}

/// Which parts of an object are shown.
private struct PartsPage {
    private static let limitMax = 1000

    var marker: Int
    var limit: Int

    init(_ headers: HTTPHeaders) throws {
        marker = try Self.number(headers, "x-amz-part-number-marker") ?? 0
        limit = min(try Self.number(headers, "x-amz-max-parts") ?? Self.limitMax, Self.limitMax)
    }

    private static func number(_ headers: HTTPHeaders, _ name: String) throws -> Int? {
        guard let text = headers.first(name: name) else { return nil }
        guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
            throw S3Error.invalidArgument(
                "Argument \(name) must be an integer between 0 and \(Int32.max)", name: name, value: text)
        }
        return number
    }

    /// Parts are numbered anew from 1, as a GET with a part number sees them. AWS lists them one by one only when they
    /// have checksums.
    func write(_ object: ObjectRecord, to root: inout XMLWriter) {
        let isListed = object.parts.allSatisfy { !$0.checksums.isEmpty }
        let rest = object.parts.enumerated().dropFirst(marker)
        let shown = isListed ? Array(rest.prefix(limit)) : []
        root.element("ObjectParts") { element in
            element.element("PartsCount", object.parts.count)
            guard isListed else { return }
            element.element("PartNumberMarker", marker)
            element.element("NextPartNumberMarker", shown.last.map { $0.offset + 1 } ?? 0)
            element.element("MaxParts", limit)
            element.element("IsTruncated", shown.count < rest.count)
            for (index, part) in shown {
                element.element("Part") { entry in
                    entry.element("PartNumber", index + 1)
                    entry.element("Size", part.size)
                    for (algorithm, value) in part.checksums.checksums {
                        entry.element(algorithm.elementName, value)
                    }
                }
            }
        }
    }
}
