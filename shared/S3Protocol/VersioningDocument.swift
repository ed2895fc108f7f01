import Model

/// Body of PutBucketVersioning.
public struct VersioningDocument: Sendable, Equatable {
    /// `Enabled` or `Suspended`.
    public var status: String

    /// Throws `MalformedXML`, `IllegalVersioningConfigurationException`, or `NotImplemented` when it asks for MFA.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "VersioningConfiguration" else { throw S3Error(.malformedXML) }
        if let delete = root.value("MfaDelete") ?? root.value("MFADelete") {
            guard ["Enabled", "Disabled"].contains(delete) else { throw S3Error(.malformedXML) }
            guard delete == "Disabled" else { throw S3Error(.notImplemented, "MFA Delete is not supported.") }
        }
        guard let status = root.value("Status") else { throw S3Error(.illegalVersioningConfiguration) }
        guard ["Enabled", "Suspended"].contains(status) else { throw S3Error(.malformedXML) }
        self.status = status
    }
}
