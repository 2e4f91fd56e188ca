"""One self-contained HTML file about a search. Imported only when a report is made."""
