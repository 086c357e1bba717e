"""What a company decided: the settings document, the mapping, the rules, the field catalogue and the calendar. Pure."""
