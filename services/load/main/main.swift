import Load

await LoadCommand.main()
