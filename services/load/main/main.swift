import Load

await runLoadTool()
