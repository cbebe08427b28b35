"""Run the notebooks and write them back; make the post, the site and the pictures from them."""
