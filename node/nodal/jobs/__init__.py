"""The durable execution of one study: stages, workspace, engine and registry."""
