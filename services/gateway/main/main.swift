import Gateway
import ProcessRuntime

await runProcess(role: .gateway, name: "gateway", settings: GatewaySettings.all) { try GatewayService($0) }
