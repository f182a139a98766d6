"""Reports: contact sheets and pages for people to look at."""
