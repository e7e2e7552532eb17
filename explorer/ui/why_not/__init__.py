"""The section of the photo pages that answers "why not another bird?"."""
