"""The comparison of methods: faithfulness, maps, interventions, and tables of the results."""
