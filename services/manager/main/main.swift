import Manager

await runManager()
