"""How far an agent gets from an edit to its cause with what the MCP server answers."""
