import Admin

await AdminTool.run()
