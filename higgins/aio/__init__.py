"""Small asyncio tools that know nothing of containers."""
