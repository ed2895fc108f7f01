import Model

/// How strong a retention is.
public enum RetentionMode: String, Sendable {
    /// May be shortened or passed over by those who are allowed to bypass it.
    case governance = "GOVERNANCE"
    /// By nobody.
    case compliance = "COMPLIANCE"
}

/// Body of PutObjectLockConfiguration.
public struct ObjectLockDocument: Sendable, Equatable {
    /// What a new version gets when its request says nothing.
    public struct DefaultRetention: Sendable, Equatable {
        public var mode: RetentionMode
        public var days: Int64
    }

    public var defaultRetention: DefaultRetention?

    /// Years as AWS counts them: 365 days.
    static let daysPerYear: Int64 = 365
    public static let daysMax: Int64 = 36_500

    /// Throws `MalformedXML` or `InvalidRetentionPeriod`.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "ObjectLockConfiguration", root.value("ObjectLockEnabled") == "Enabled" else {
            throw S3Error(.malformedXML)
        }
        guard let rule = root.child("Rule") else { return }
        guard let retention = rule.child("DefaultRetention"),
            let mode = retention.value("Mode").flatMap(RetentionMode.init)
        else { throw S3Error(.malformedXML) }
        let days = try Self.days(retention)
        guard (1...Self.daysMax).contains(days) else { throw S3Error(.invalidRetentionPeriod) }
        defaultRetention = DefaultRetention(mode: mode, days: days)
    }

    private static func days(_ retention: XMLNode) throws(S3Error) -> Int64 {
        switch (retention.value("Days"), retention.value("Years")) {
        case (let text?, nil):
            guard let days = Int64(text) else { throw S3Error(.malformedXML) }
            return days
        case (nil, let text?):
            guard let years = Int64(text) else { throw S3Error(.malformedXML) }
            let (days, overflow) = years.multipliedReportingOverflow(by: daysPerYear)
            return overflow ? .max : days
        default: throw S3Error(.malformedXML)
        }
    }
}

/// Body of PutObjectRetention.
public struct RetentionDocument: Sendable, Equatable {
    /// nil: the retention is to be removed.
    public var mode: RetentionMode?
    public var untilMilliseconds: Int64 = 0

    /// Throws `MalformedXML`.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "Retention" else { throw S3Error(.malformedXML) }
        switch (root.value("Mode"), root.value("RetainUntilDate")) {
        case (nil, nil): return
        case (let mode?, let date?):
            guard let mode = RetentionMode(rawValue: mode), let until = HTTPDate.parseISO8601(date) else {
                throw S3Error(.malformedXML)
            }
            (self.mode, untilMilliseconds) = (mode, until)
        default: throw S3Error(.malformedXML)
        }
    }
}

/// Body of PutObjectLegalHold.
public struct LegalHoldDocument: Sendable, Equatable {
    public var isOn: Bool

    /// Throws `MalformedXML`.
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "LegalHold", let status = root.value("Status"), ["ON", "OFF"].contains(status) else {
            throw S3Error(.malformedXML)
        }
        isOn = status == "ON"
    }
}
