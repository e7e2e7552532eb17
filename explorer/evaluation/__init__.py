"""The comparison of methods: faithfulness, maps, interventions, and what is made of them."""
