"""The HubSpot API as a source."""
