"""Pure: which events go to whom and in which form, and what a webhook must prove."""
