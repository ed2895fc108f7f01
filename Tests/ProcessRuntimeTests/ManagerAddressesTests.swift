import Model
import Testing

@testable import ProcessRuntime

@Suite("Addresses of managers")
struct ManagerAddressesTests {
    @Test("One address is that of the manager that enrolled the process")
    func single() throws {
        let addresses = try ManagerAddresses(["tcp://a:1"])
        #expect(try addresses.enrolling("any") == "tcp://a:1" && addresses.named.isEmpty)
    }

    @Test("Several have names")
    func named() throws {
        let addresses = try ManagerAddresses(["m1=tcp://a:1", "m2=tcp://b:1"])
        #expect(try addresses.enrolling("m2") == "tcp://b:1")
        #expect(addresses.named == ["m1": "tcp://a:1", "m2": "tcp://b:1"])
        #expect(throws: ManagerAddresses.Refused.self) { try addresses.enrolling("m3") }
        #expect(try ManagerAddresses(["m1=tcp://a:1", "tcp://b:1"]).enrolling("m3") == "tcp://b:1")
    }

    @Test(
        "What is no address, or says too little",
        arguments: [["a:1"], ["tcp://a:1", "tcp://b:1"], ["m=a:1"], ["=tcp://a:1"], ["m=tcp://a:1", "m=tcp://b:1"]])
    func refused(_ texts: [String]) {
        #expect(throws: ManagerAddresses.Refused.self) { try ManagerAddresses(texts) }
    }
}
