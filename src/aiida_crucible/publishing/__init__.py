"""Publishing: from processes to a folder that an archive of research data takes, and the check of somebody else's."""
