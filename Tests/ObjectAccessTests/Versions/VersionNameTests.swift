import Model
import ObjectAccess
import Testing

@Suite struct VersionNameTests {
    private let object = RegisterName(bucket: BucketID(high: 1, low: 2), key: Array("a".utf8))

    @Test("a name comes back from its id and from its register")
    func roundTrip() {
        let name = VersionName(place: 77, number: 9)
        #expect(VersionName(id: name.id) == name)
        #expect(name.id.utf8.count == 32)
        for key in [[], [0], [0, 0], [97, 0, 255], Array("ü/x".utf8)] as [[UInt8]] {
            let register = name.register(of: RegisterName(bucket: object.bucket, key: key))
            #expect(register.keyspace == .versions)
            let parsed = VersionName.parse(registerKey: register.key)
            #expect(parsed?.key == key)
            #expect(parsed?.version == name)
        }
    }

    @Test("what was never an id is none", arguments: ["", "null", "x", "0", String(repeating: "f", count: 31)])
    func noIDs(_ text: String) { #expect(VersionName(id: text) == nil) }

    @Test("an id in capitals, or of the null version's register, is none")
    func strangeIDs() {
        let id = VersionName(place: 0xABCD, number: 0xEF).id
        #expect(VersionName(id: id.uppercased()) == nil)
        #expect(VersionName(id: String(id.prefix(16)) + String(repeating: "0", count: 16)) == nil)
    }

    @Test("registers stand in the order of keys, then from the newest to the oldest")
    func order() {
        let keys: [[UInt8]] = [[97], [97, 0], [97, 0, 0], [97, 0, 1], [97, 0, 255], [97, 1], [97, 255], [98]]
        let places: [UInt64] = [.max, 1 << 60, 2, 1]
        let registers = keys.flatMap { key in
            places.map { VersionName(place: $0, number: 5).register(of: .init(bucket: object.bucket, key: key)) }
        }
        #expect(registers == registers.sorted())
        #expect(Set(registers).count == registers.count)
    }

    @Test("no key's registers begin like those of another")
    func prefixes() {
        let keys: [[UInt8]] = [[97], [97, 0], [97, 0, 1], [97, 1], [0], [0, 1]]
        for key in keys {
            let register = VersionName(place: 3, number: 4).register(of: .init(bucket: object.bucket, key: key))
            #expect(keys.filter { register.key.starts(with: VersionName.keyPrefix(of: $0)) } == [key])
        }
    }
}
