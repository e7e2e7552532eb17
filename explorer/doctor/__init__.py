"""What can be wrong with a workspace: looked for, told, and repaired where that is safe."""
