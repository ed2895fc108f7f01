import Tap

await TapTool.run()
