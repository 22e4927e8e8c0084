"""What payers see: templates, languages, amounts and dates, style and script, and the headers that guard them."""
