"""receptor.yml: parsed, checked, rendered."""
